"""Users, projects, roles and tokens: the part of Identity v3 that clients need, and the policy."""
