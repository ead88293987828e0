"""What the differential test against Open vSwitch is made of; see ../README.md."""
