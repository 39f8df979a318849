-- Where in a git repository a runner works, as it was at its launch; empty where there is none.

-- What all worktrees of the repository share.
ALTER TABLE runners ADD COLUMN repository TEXT NOT NULL DEFAULT '';
-- The worktree that was made for it.
ALTER TABLE runners ADD COLUMN worktree TEXT NOT NULL DEFAULT '';
ALTER TABLE runners ADD COLUMN branch TEXT NOT NULL DEFAULT '';
-- What the branch began from and is to go back to.
ALTER TABLE runners ADD COLUMN base_branch TEXT NOT NULL DEFAULT '';
ALTER TABLE runners ADD COLUMN base_commit TEXT NOT NULL DEFAULT '';
-- What was checked out, and a commit of all files as they were.
ALTER TABLE runners ADD COLUMN launch_commit TEXT NOT NULL DEFAULT '';
ALTER TABLE runners ADD COLUMN launch_snapshot TEXT NOT NULL DEFAULT '';
