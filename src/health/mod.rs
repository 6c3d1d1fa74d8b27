//! Health checks: the rise/fall machine and check scripts (pure), and their runner.
