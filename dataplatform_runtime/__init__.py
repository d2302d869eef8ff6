"""What compiled DAGs import: the only code that runs inside Airflow. It imports nothing else of this project."""
