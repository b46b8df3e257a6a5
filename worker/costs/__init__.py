"""What runs cost: thought of before, reckoned after, corrected by the bill, and set against what they gained; pure."""
