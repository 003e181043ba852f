//! Executor of ci-core on the Docker Engine API: containers, services, images and swarm jobs.
