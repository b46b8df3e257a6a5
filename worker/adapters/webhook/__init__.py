"""Webhooks: where people are told."""
