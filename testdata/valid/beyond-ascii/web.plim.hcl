provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

# Straße, 東京
output "place" {
  value = "Straße, 東京"
}
