"""Do the same work in other ways: plain torch at its best, and other projects' classes."""
