"""Launch, watch and steer runs from a terminal. Sees run directories and configs; never torch."""
