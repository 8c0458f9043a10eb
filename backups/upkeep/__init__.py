"""What is done for the content of repositories, besides storing it: measuring and mending, looking
whether it is whole, and bringing it back where it is not.
"""
