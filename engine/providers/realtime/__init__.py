"""Models that hear and speak themselves, one family of files a vendor."""
