"""A bee's whole history lived again: who served whom when, how good that was, and what it cost; pure."""
