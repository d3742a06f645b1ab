"""What the environment of a training process says to the libraries, and what of it they must not see.

Owns the variables. `train.__main__` sets and removes them, before it imports a library that reads one.
"""

SWITCHES = {
    "OMP_NUM_THREADS": "1",  # the networks are small: threads that wait for each other took two thirds of the processor
    "GIT_OPTIONAL_LOCKS": "0",  # naming the commit leaves the repository as it is
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default, MLflow retries an unreachable server for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # standard output is for the tag alone
}
CACHES = {  # of libraries that would keep them in the home directory or in /tmp; relative to the working directory
    "MPLCONFIGDIR": "var/cache/matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "var/cache/torch",
}

# A shell that is inside a run of MLflow, or a job that MLflow started, has these. Each would put the runs of a training
# into another run, experiment or model than that of its dataset, or refuse them after everything is trained.
IGNORED = {
    "MLFLOW_RUN_ID": "every training is a run of its own",
    "MLFLOW_EXPERIMENT_ID": "runs go to the experiment of their dataset",
    "MLFLOW_EXPERIMENT_NAME": "runs go to the experiment of their dataset",
    "MLFLOW_ACTIVE_MODEL_ID": "every training logs a model of its own",
    "_MLFLOW_ACTIVE_MODEL_ID": "every training logs a model of its own",
    "MLFLOW_RUN_CONTEXT": "the tags of a run come from its training alone",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "a run is complete when its training ends",
}
