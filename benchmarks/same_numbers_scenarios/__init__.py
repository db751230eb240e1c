"""What `benchmarks/same_numbers.py` computes with two commits: a module a group, a function a scenario.

Scenarios use public names only, and only those that both commits have. A group's `SCENARIOS` are functions by name;
each takes a folder of its own and returns arrays by name.
"""

# In the order in which they run. Each is a process of its own.
GROUPS = ("estimators", "models", "data", "execution", "replicas", "papers", "queries", "command_line")
