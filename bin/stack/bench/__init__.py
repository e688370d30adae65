"""The figures of `bin/bench`: each section measures its subject and its yardstick in the same run."""
