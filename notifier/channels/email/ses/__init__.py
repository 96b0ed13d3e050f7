"""Email through Amazon SES: mails by SMTP, reports by Amazon SNS."""
