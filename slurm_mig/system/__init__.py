"""The machine itself: root's files, boots, processes, cgroups. Hooks load it, so it is light."""
