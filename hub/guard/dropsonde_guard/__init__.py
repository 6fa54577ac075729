"""The only holder of the engine's socket: it carries out what the hub's spawner needs, and nothing else."""
