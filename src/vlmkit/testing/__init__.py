"""What tests of vlmkit and of its plugins share."""
