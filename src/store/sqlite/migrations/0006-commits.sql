-- The subject and the author of the deployed commit, and its page at the forge.
ALTER TABLE deployment ADD COLUMN subject TEXT;
ALTER TABLE deployment ADD COLUMN author TEXT;
ALTER TABLE deployment ADD COLUMN commit_url TEXT;
