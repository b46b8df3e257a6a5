"""What would have been: recorded evaluations through a policy, in memory and in event time; nothing is done; pure."""
