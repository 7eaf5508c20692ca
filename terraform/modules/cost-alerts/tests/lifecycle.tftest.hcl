# Made and found unchanged. Needs an account, or a provider that stands in for one.

provider "aws" {
  region = "us-east-1"
}

variables {
  environment   = "production"
  monthly_limit = 2000
  emails        = ["platform-team@inferadb.com"]
  urgent_emails = ["oncall@inferadb.com"]
}

run "made" {
  assert {
    condition     = one(aws_budgets_budget.monthly.cost_filter).values == tolist(["user:inferadb.com/environment$production"])
    error_message = "The filter is the environment's tag: ${jsonencode(aws_budgets_budget.monthly.cost_filter)}"
  }
  assert {
    condition     = { for it in aws_budgets_budget.monthly.notification : it.notification_type => it.threshold } == { ACTUAL = 100, FORECASTED = 80 }
    error_message = "The forecast is told at 80 percent, the fact at 100."
  }
}

run "found_unchanged" {
  # In a plan, what an apply would make again is unknown, and an assertion on it fails.
  command = plan
  assert {
    condition     = output.budget_arn != ""
    error_message = "A second apply would make nothing again."
  }
}
