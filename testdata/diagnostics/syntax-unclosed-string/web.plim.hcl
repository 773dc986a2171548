locals {
  a = "one
}
