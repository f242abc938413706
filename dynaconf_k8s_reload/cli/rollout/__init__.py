"""The command ``rollout``: a change of a ConfigMap or Secret, seen to arrive in every process."""
