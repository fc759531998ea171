"""From a build to what readers open, so that they never see half of it.

`building` is the order of things: the lock, dbt, the gate, the candidate, the published
file, snapshots, history. docs/publishing.md tells it in prose.
"""
