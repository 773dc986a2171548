this is not read: it lies in a folder of its own
