"""The verified rollout: a version that passed its gate proves itself in production step by step, or goes back; pure."""
