"""Play at random in an environment and judge what MBPO will trip over."""
