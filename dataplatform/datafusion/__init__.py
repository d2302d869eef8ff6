"""Data Fusion as code: what an instance holds as files, the difference between the two, and the way back.

`client` speaks CDAP's REST API, `model` says what there is, `normalise` what of it has a meaning, `files` how it lies
on disk, `read` takes it from an instance, `compare` and `threeway` tell what differs, `plan` and `apply` bring it back.
Nothing but `cli` knows the command line.
"""
