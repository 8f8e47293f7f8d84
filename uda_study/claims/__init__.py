"""Claims of papers as experiments with a rule that was fixed beforehand, and their verdicts.

``ledger/`` holds one YAML file per claim, ``studies/`` the study files that they share, ``rules/``
one kind of rule per file. `uda_study.claims.runner` trains the studies, reads what was measured and
applies the rules; ``docs/claims.md`` shows the verdicts.
"""
