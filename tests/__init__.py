"""The tests, as a package: so that modules of one name in two folders do not collide."""
