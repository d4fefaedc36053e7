"""Signal code on bytes, by sample count: functions and small trackers without clocks and without I/O."""
