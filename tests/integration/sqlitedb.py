"""A real database, and migrations of it that are slow in their middle."""
import os
import shutil
import sqlite3


class Sqlite:
    def __init__(self, directory):
        self.path = os.path.join(str(directory), "app.db")
        self.files = os.path.join(str(directory), "migrations")
        os.mkdir(self.files)
        connection = sqlite3.connect(self.path)
        connection.executescript("CREATE TABLE applied (file INTEGER)")
        connection.close()

    def write(self, number, slow=True):
        """One transaction that inserts its number, and takes about a second to do so."""
        wait = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000000) "
                "SELECT count(*) FROM n;\n") if slow else ""
        with open(os.path.join(self.files, "%04d_step.sql" % number), "w", encoding="ascii") as file:
            file.write("BEGIN;\nINSERT INTO applied VALUES (%d);\n%sCOMMIT;\n" % (number, wait))

    def applied(self):
        connection = sqlite3.connect(self.path, timeout=10)
        try:
            return [row[0] for row in connection.execute("SELECT file FROM applied ORDER BY rowid")]
        finally:
            connection.close()

    def keys(self):
        return {"Type": "migrate", "Directory": self.files,
                "Runner": "%s -bail %s \".read '%%f'\"" % (shutil.which("sqlite3"), self.path)}
