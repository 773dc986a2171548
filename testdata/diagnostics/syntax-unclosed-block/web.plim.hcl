plimsoll {
  deployment = "web"
