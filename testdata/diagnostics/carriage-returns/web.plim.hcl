locals {
  a = uper("x")
}
