"""Deciding, pure: evaluation × history × policy × now → Decision, with every rule that fired or held back."""
