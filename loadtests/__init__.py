"""Load tests: locust users for every protocol, shapes of load, and the objectives by which a run is judged."""
