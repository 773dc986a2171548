locals {
  b = [1, 2
}
