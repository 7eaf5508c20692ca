# What `make lint` has tflint check: the rules for the language itself, all that tflint recommends and those for modules.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# Examples are short: one file with its variables and outputs.
rule "terraform_standard_module_structure" {
  enabled = false
}
