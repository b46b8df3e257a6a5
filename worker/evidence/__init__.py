"""What observations prove, looked at any time: sequences of intervals, verdicts, sample sizes, broken splits; pure."""
