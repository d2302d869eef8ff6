"""The step executors of the platform, as Cloud Run functions.

Python that runs in a cloud by itself: it imports nothing of the project's other packages. Each module is one function's
work; `main.py` is what the functions framework loads. The HTTP contract between a workflow (or Airflow), the
intermediate function and an executor is that of the AEF orchestration framework, so that definitions written for it run
here.
"""
