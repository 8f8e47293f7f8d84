"""The toolkit from Python: run a study, read its leaderboard, use its best model.

The commands are thin shells over the same functions::

    study = uda_study.run("search_spaces/quick.yaml")
    study.leaderboard()
    study.report("report.html")
    study.best().predict("scans", "segmented")
"""
