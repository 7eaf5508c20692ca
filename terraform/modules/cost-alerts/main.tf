# Budgets see a tag only after it has been activated for cost allocation, once an account, and some hours later.
resource "aws_ce_cost_allocation_tag" "this" {
  count = var.activate_tag ? 1 : 0

  tag_key = var.tag_key
  status  = "Active"
}

resource "aws_budgets_budget" "monthly" {
  name         = "inferadb-${var.environment}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_limit)
  limit_unit   = "USD"

  # One tag, since values of one filter are alternatives: a second would let other projects in.
  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:%s$%s", var.tag_key, var.environment)]
  }

  # While something can still be done about the month.
  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "FORECASTED"
    threshold                  = var.forecast_percent
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.emails
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "ACTUAL"
    threshold                  = var.actual_percent
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = distinct(concat(var.emails, var.urgent_emails))
  }

  tags = var.tags

  depends_on = [aws_ce_cost_allocation_tag.this]
}
