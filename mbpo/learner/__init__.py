"""The parts of one learner: built, acting, imagining, updated and saved."""
