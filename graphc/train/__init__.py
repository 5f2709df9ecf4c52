"""Optimizers, schedules, training utilities."""
