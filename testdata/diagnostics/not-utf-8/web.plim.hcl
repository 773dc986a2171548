locals {
  a = "straﬂe"
}
