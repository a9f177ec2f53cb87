"""What every floor may use: reasons and errors, secrets and personal data, the clock, texts in two languages."""
