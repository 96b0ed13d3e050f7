"""Whose fault a refusal is: tables for what SMTP servers, SendGrid and Twilio say.

A code means the same wherever it comes from: a reply, an HTTP answer, an event or a callback.
"""
