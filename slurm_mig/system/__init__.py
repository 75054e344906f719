"""The machine itself, for hooks too: root's files, its boots, processes and cgroups. Light."""
