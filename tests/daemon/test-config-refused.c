/* The configuration files: what is refused, and in which words. */
#include "tests/daemon/loaded.h"

#define L50 "01234567890123456789012345678901234567890123456789"

/* One mistake, one line. ~ is the directory. */
static const struct refusal {
	const char *conf, *job, *line;
} refusals[] = {
	/* the form of the file */
	{"", NULL,
		"~/onced.conf: Endpoints: missing in section [Etcd], expected https://host:port"},
	{ETCD "nonsense\n", NULL,
		"~/onced.conf:5: \"nonsense\" is not understood, expected Key=value"},
	{ETCD "Address: x\n", NULL, "5: \"Address: x\" is not understood, expected Key=value"},
	{ETCD "=x\n", NULL, ":5: \"=x\" is not understood"},
	{"Name=x\n" ETCD, NULL,
		":1: Name: stands before the first section, expected [Etcd] above it"},
	{ETCD "[Nodes]\nName=x\nFoo=y\n", NULL, ":5: unknown section \"Nodes\""},
	{ETCD "[node]\n", NULL, ":5: unknown section \"node\""},
	{ETCD "[Node] x\n", NULL, ":5: bad section \"[Node] x\", expected [Name]"},
	{ETCD "[Node\n", NULL, ":5: bad section \"[Node\", expected [Name]"},
	{ETCD "Nam=x\n", NULL, "~/onced.conf:5: Nam: unknown key in section [Node]"},
	{ETCD "name=x\n", NULL, ":5: name: unknown key in section [Node]"},
	{ETCD "Name=n2\n", NULL, ":5: Name: said before in line 4, expected once"},
	{ETCD "\n# c\n; c\nName=n2\n", NULL, ":8: Name: said before in line 4"},
	{ETCD "Address=a\\\n b\nName=n2\n", NULL, ":7: Name: said before in line 4"},
	{ETCD "Address=\x1b[2J\n", NULL, ":5: Address: holds control characters"},
	{ETCD "Address=\xff\n", NULL,
		":5: Address: holds control characters or bytes that are not UTF-8"},
	{ETCD "\x1b[2J=x\n", NULL, ":5: \\x1b[2J: unknown key"},
	{ETCD "Bad\x07key\n", NULL, ":5: \"Bad\\x07key\" is not understood"},
	{ETCD "Address=a\\\\\n", NULL, ":5: Address: ends with a backslash"},
	/* status page */
	{ETCD "[Http]\nListen=localhost\n", NULL,
		":6: Listen: bad address \"localhost\": no address with a port, expected ADDRESS:PORT such as "
		"127.0.0.1:7780 or [::1]:7780, or the absolute path of a unix socket"},
	{ETCD "[Http]\nListen=http.sock\n", NULL, "Listen: bad address \"http.sock\""},
	{ETCD "[Http]\nListen=0.0.0.0:7780\n", NULL,
		":6: Listen: \"0.0.0.0:7780\" can be reached from other hosts, expected 127.0.0.1, [::1], a unix "
		"socket, or AllowRemote=yes"},
	{ETCD "[Http]\nAllowRemote=no\nListen=[::]:7780\n", NULL, "can be reached from other hosts"},
	/* names */
	{"[Etcd]\nEndpoints=https://a:1\n[Node]\nName=Node One\n", NULL,
		":4: Name: bad name \"Node One\", expected 1 to 64 of a-z 0-9 . _ - beginning"},
	{"[Etcd]\nEndpoints=https://a:1\n[Node]\nName=../a\n", NULL, ":4: Name: bad name \"../a\""},
	{"[Etcd]\nEndpoints=https://a:1\n[Node]\nName=a/b\n", NULL, ":4: Name: bad name \"a/b\""},
	{"[Etcd]\nEndpoints=https://a:1\n[Node]\nName=-a\n", NULL, ":4: Name: bad name \"-a\""},
	{"[Etcd]\nEndpoints=https://a:1\n[Node]\nName=n\xd0\xbe\n", NULL,
		":4: Name: bad name \"n\xd0\xbe\""},
	/* endpoints */
	{"[Etcd]\nEndpoints=ftp://a:1\n[Node]\nName=n\n", NULL,
		":2: Endpoints: \"ftp://a:1\" is neither https:// nor http://, expected "
		"https://host:port"},
	{"[Etcd]\nEndpoints=https://a\n[Node]\nName=n\n", NULL, "\"https://a\" has no port"},
	{"[Etcd]\nEndpoints=https://[::1]\n[Node]\nName=n\n", NULL,
		"\"https://[::1]\" has no port"},
	{"[Etcd]\nEndpoints=https://a:0\n[Node]\nName=n\n", NULL, "no port between 1 and 65535"},
	{"[Etcd]\nEndpoints=https://a:65536\n[Node]\nName=n\n", NULL,
		"no port between 1 and 65535"},
	{"[Etcd]\nEndpoints=https://a:1/v3\n[Node]\nName=n\n", NULL, "no port between 1 and 65535"},
	{"[Etcd]\nEndpoints=https://:1\n[Node]\nName=n\n", NULL, "has no valid host"},
	{"[Etcd]\nEndpoints=https://[::g]:1\n[Node]\nName=n\n", NULL, "has no valid host"},
	{"[Etcd]\nEndpoints=https://u:pw@a:1\n[Node]\nName=n\n", NULL,
		":2: Endpoints: an endpoint holds a user or password (the value is not shown)"},
	{"[Etcd]\nEndpoints=https://u:s3cr3t,x@a:1\n[Node]\nName=n\n", NULL,
		"the value is not shown"},
	{"[Etcd]\nEndpoints=,\n[Node]\nName=n\n", NULL, ":2: Endpoints: no endpoint in it"},
	{"[Etcd]\nEndpoints=http://10.0.0.1:1\n[Node]\nName=n\n", NULL,
		":2: Endpoints: \"http://10.0.0.1:1\" would be spoken to without encryption, "
		"expected "
		"https://, or AllowPlaintext=yes"},
	{"[Etcd]\nEndpoints=10.0.0.1:1\n[Node]\nName=n\n", NULL,
		"\"http://10.0.0.1:1\" would be spoken"},
	{"[Etcd]\nEndpoints=http://127.evil.org:1\n[Node]\nName=n\n", NULL,
		"would be spoken to without"},
	/* TLS and login */
	{ETCD "[Etcd]\nCACert=~/none\n", NULL, ":6: CACert: \"~/none\": No such file or directory"},
	{ETCD "[Etcd]\nCACert=ca.pem\n", NULL, ":6: CACert: \"ca.pem\" is not an absolute path"},
	{ETCD "[Etcd]\nCACert=~\n", NULL, ":6: CACert: \"~\": it is not a regular file"},
	{ETCD "[Etcd]\nCACert=~/pw\n", NULL, "CACert: \"~/pw\": there is no PEM certificate in it"},
	{ETCD "[Etcd]\nCACert=~/garbage.pem\n", NULL, "there is no PEM certificate in it"},
	{ETCD "[Etcd]\nCert=~/cert.pem\n", NULL, ":6: Cert: has no key with it, expected Key= too"},
	{ETCD "[Etcd]\nKey=~/key.pem\n", NULL, ":6: Key: has no certificate with it"},
	{ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/key-open.pem\n", NULL,
		":7: Key: \"~/key-open.pem\": it has mode 0640, expected 0600 or 0400"},
	{ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/key-world.pem\n", NULL, "it has mode 0604"},
	{ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/key-locked.pem\n", NULL, "its key has a passphrase"},
	{ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/cert.pem\n", NULL, "it has mode 0644"},
	{ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/link\n", NULL,
		"Key: \"~/link\": it is a symbolic link, expected the file itself"},
	{ETCD "[Etcd]\nCert=~/cert.pem\nKey=~/open/key.pem\n", NULL, "its directory has mode 0777"},
	{ETCD "[Etcd]\nUser=u\n", NULL,
		":6: User: has no password with it, expected PasswordFile="},
	{ETCD "[Etcd]\nPasswordFile=~/pw\n", NULL, ":6: PasswordFile: has no user with it"},
	{ETCD "[Etcd]\nUser=u:s3cr3t-value\nPasswordFile=~/pw\n", NULL,
		":6: User: a password does not belong here (the value is not shown)"},
	{ETCD "[Etcd]\nUser=u\nPasswordFile=~/pw-open\n", NULL, "it has mode 0644, expected 0600"},
	{ETCD "[Etcd]\nUser=u\nPasswordFile=~/pw-two\n", NULL, "it has more than one line"},
	{ETCD "[Etcd]\nUser=u\nPasswordFile=~/pw-empty\n", NULL, "it is empty"},
	{ETCD "[Etcd]\nAllowPlaintext=perhaps\n", NULL, "\"perhaps\" is neither yes nor no"},
	/* election */
	{ETCD "[Election]\nKey=leader\n", NULL,
		":6: Key: bad etcd key \"leader\", expected one that"},
	{ETCD "[Election]\nKey=/a//b\n", NULL, "bad etcd key \"/a//b\""},
	{ETCD "[Election]\nKey=/a/\n", NULL, "bad etcd key \"/a/\""},
	{ETCD "[Election]\nKey=/\n", NULL, "bad etcd key \"/\""},
	{ETCD "[Election]\nKey=/onced/x\n", NULL,
		":6: Key: the leader key /onced/x and the prefix /onced overlap"},
	{ETCD "[Election]\nPrefix=/leader/p\n", NULL, ":6: Prefix: the leader key /leader and the"},
	{ETCD "[Election]\nProfile=quick\n", NULL,
		":6: Profile: unknown profile \"quick\", expected normal, fast or wan"},
	{ETCD "[Election]\nBeatInterval=1\n", NULL, ":6: BeatInterval: bad duration \"1\": "},
	{ETCD "[Election]\nBeatInterval=-1s\n", NULL, ":6: BeatInterval: bad duration \"-1s\": "},
	{ETCD "[Election]\nBeatInterval=1ms\n", NULL,
		"\"1ms\" is out of range, expected 20ms to 1h"},
	{ETCD "[Election]\nLeaseTTL=1500ms\n", NULL, "\"1500ms\" is not in whole seconds"},
	{ETCD "[Election]\nLeaseTTL=0\n", NULL, "\"0\" is out of range, expected 1s to 86400s"},
	{ETCD "[Election]\nLeaseTTL=5s\n", NULL,
		":6: LeaseTTL: LeaseTTL is less than FenceAfter: 5s < 6s"},
	{ETCD "[Election]\nProfile=fast\nFenceAfter=6s\n", NULL,
		":7: FenceAfter: LeaseTTL is less than"},
	{ETCD "[Election]\nStopGrace=3s\n", NULL,
		":6: StopGrace: BeatInterval + 2 RequestTimeout + FenceAfter/10 is more than "
		"FenceAfter - "
		"StopGrace - KillBudget: 1s + 2 * 900ms + 600ms = 3.4s, but 6s - 3s - 500ms = "
		"2.5s"},
	{ETCD "[Election]\nClockDrift=0.1\n", NULL,
		":6: ClockDrift: bad share \"0.1\", expected a whole"},
	{ETCD "[Election]\nClockDrift=0%\n", NULL, "from 1% to 100%"},
	{ETCD "[Election]\nClockDrift=99999999999999999%\n", NULL, "bad share"},
	/* daemon */
	{ETCD "[Daemon]\nLogLevel=loud\n", NULL, ":6: LogLevel: unknown level \"loud\""},
	{ETCD "[Daemon]\nRuntimeDirectory=run\n", NULL,
		":6: RuntimeDirectory: \"run\" is not an absolute"},
	/* jobs */
	{ETCD, "", "~/jobs.d/j.job: Exec: missing in section [Job], expected a command"},
	{ETCD, "[Service]\nExec=x\n[Job]\nExec=x\n",
		"~/jobs.d/j.job:1: unknown section \"Service\""},
	{ETCD, JOB "Execute=x\n", "~/jobs.d/j.job:3: Execute: unknown key in section [Job]"},
	{ETCD, JOB "Type=deamon\n",
		":3: Type: unknown type \"deamon\", expected service, cron, once, steps or migrate"},
	{ETCD, JOB "Group=Mail\n", ":3: Group: bad name \"Mail\", expected 1 to 64"},
	{ETCD "[Election]\nKey=/" L50 L50 L50 "\n", JOB "Group=" L50 "\n",
		" is longer than 200 bytes, expected a shorter name"},
	{ETCD, JOB "Schedule=@hourly\n",
		":3: Schedule: Type=service has no such key, expected it with Type=cron only"},
	{ETCD, JOB "Timeout=3s\n", ":3: Timeout: Type=service has no such key, expected it with Type=cron, "
				   "once, steps, migrate only"},
	{ETCD, JOB "User=no-such-user\n", ":3: User: there is no user no-such-user on this host"},
	/* cron */
	{ETCD, CRON "Schedule=@hourly\nRestart=no\n", ":5: Restart: Type=cron has no such key, expected it with Type=service"},
	{ETCD, JOB "Type=cron\n", "j.job: Schedule: missing in section [Job], expected when to run"},
	{ETCD, "[Job]\nType=cron\nSchedule=@hourly\n", "j.job: Exec: missing in section [Job]"},
	{ETCD, CRON "Schedule=61 * * * *\n", ":4: Schedule: \"61\" is out of range, expected a minute, 0 to 59 (at character 1)"},
	{ETCD, CRON "Schedule=@reboot\n", ":4: Schedule: "},
	{ETCD, CRON "Schedule=@hourly\nTimeZone=Mars/Olympus\n", ":5: TimeZone: no time zone \"Mars/Olympus\""},
	{ETCD, CRON "Schedule=@hourly\nTimeZone=../etc/passwd\n", ":5: TimeZone: no time zone"},
	{ETCD, CRON "Schedule=@hourly\nOverlap=allow\n",
		":5: Overlap: unknown policy \"allow\", expected skip, queue or replace"},
	{ETCD, CRON "Schedule=@hourly\nMissed=some\n", "expected skip, latest or all"},
	{ETCD, CRON "Schedule=@hourly\nOnInterrupt=probe\n",
		":5: OnInterrupt: probe without a command, expected Probe= too"},
	{ETCD, CRON "Schedule=@hourly\nProbe=/bin/true\n", ":5: Probe: is never asked, expected"},
	{ETCD, CRON "Schedule=@hourly\nProbeTimeout=3s\n",
		":5: ProbeTimeout: has nothing to time, expected Probe= too"},
	{ETCD, "[Job]\nUnit=a.socket\n", ":2: Unit: bad unit \"a.socket\", expected NAME.service of at most 100 letters"},
	{ETCD, "[Job]\nUnit=.service\n", ":2: Unit: bad unit"},
	{ETCD, "[Job]\nUnit=a@.service\n", ":2: Unit: bad unit"},
	{ETCD, "[Job]\nUnit=../a.service\n", ":2: Unit: bad unit"},
	{ETCD, JOB "Unit=a.service\n", ":2: Exec: is for a command, expected the unit's own settings with Unit="},
	{ETCD, "[Job]\nUnit=a.service\nUser=root\n", ":3: User: is for a command"},
	{ETCD, "[Job]\nUnit=a.service\nUser=no-such-user\n", ":3: User: is for a command"},
	{ETCD, "[Job]\nUnit=a.service\nShell=yes\n", ":3: Shell: is for a command"},
	{ETCD, "[Job]\nUnit=a.service\nWorkingDirectory=/tmp\n", ":3: WorkingDirectory: is for a command"},
	{ETCD, "[Job]\nUnit=a.service\nEnvironment=A=1\n", ":3: Environment: is for a command"},
	{ETCD, "[Job]\nUnit=a.service\nIsolate=yes\n", ":3: Isolate: is for a command"},
	{ETCD, "[Job]\nType=steps\nUnit=a.service\nStep=a: b\n",
		":3: Unit: Type=steps has no such key, expected it with Type=service, cron, once only"},
	{ETCD, CRON "Schedule=@hourly\nRetries=-1\n",
		":5: Retries: bad number \"-1\", expected one from 0 to 1000"},
	{ETCD, CRON "Schedule=@hourly\nRetryOn=1 256\n",
		":5: RetryOn: bad exit code \"256\", expected 1 to 255, or timeout"},
	{ETCD, CRON "Schedule=@hourly\nOutputTail=65K\n",
		":5: OutputTail: bad size \"65K\", expected bytes from 0 to 65536, or 4K"},
	{ETCD, CRON "Schedule=@hourly\nHistoryOk=0\n", ":5: HistoryOk: bad number \"0\""},
	/* once, steps, migrate */
	{ETCD, JOB "Type=once\nId=a/b\n", ":4: Id: bad id \"a/b\""},
	{ETCD, "[Job]\nType=steps\n", "j.job: Step: missing in section [Job], expected name: command"},
	{ETCD, "[Job]\nType=steps\nStep=/bin/true\n", ":3: Step: bad step \"/bin/true\", expected name:"},
	{ETCD, "[Job]\nType=steps\nStep=a:\n", ":3: Step: the step a has no command"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nStep=a : c\n", ":4: Step: a second step a"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nExec=/bin/true\n",
		":4: Exec: Type=steps has no such key, expected it with Type=service, cron, once only"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nUndo=c: d\n", ":4: Undo: there is no Step=c: to take back"},
	{ETCD, "[Job]\nType=steps\nStep=ab: b\nUndo=a: d\n", ":4: Undo: there is no Step=a: to"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nUndo=a: d\nUndo=a: e\n", ":5: Undo: a second step a"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nUndo=a: -d\n", ":4: Undo: begins with one of systemd's"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nOnFailure=undo\n",
		":4: OnFailure: undo without a command, expected Undo= too"},
	{ETCD, "[Job]\nType=steps\nStep=a: b\nOnFailure=stop\n",
		":4: OnFailure: unknown policy \"stop\", expected hold or undo"},
	{ETCD, CRON "Schedule=@hourly\nUndo=a: b\n", ":5: Undo: Type=cron has no such key"},
	{ETCD, MIGRATE, "j.job: Runner: missing in section [Job], expected a command with %f"},
	{ETCD, "[Job]\nType=migrate\nRunner=cat %f\n", "j.job: Directory: missing in section [Job]"},
	{ETCD, MIGRATE "Runner=/bin/cat\n", ":4: Runner: names no file, expected %f where it belongs"},
	{ETCD, MIGRATE "Runner=/bin/cat %f %x\n", ":4: Runner: has a % that is none of %f, %n, %s, %%"},
	{ETCD, MIGRATE "Runner=/bin/cat %f 100%\n", ":4: Runner: has a % that is none of"},
	{ETCD, MIGRATE "Runner=cat %f\nBaseline=../x\n", ":5: Baseline: bad id \"../x\""},
	{ETCD, JOB "Restart=sometimes\n", ":3: Restart: unknown policy \"sometimes\""},
	{ETCD, JOB "StopGrace=3s\n", ":3: StopGrace: longer than the election's"},
	{ETCD, JOB "RestartDelay=soon\n", ":3: RestartDelay: bad duration \"soon\""},
	{ETCD, JOB "WorkingDirectory=tmp\n",
		":3: WorkingDirectory: \"tmp\" is not an absolute path"},
	{ETCD, "[Job]\nExec=/bin/echo \"a\n",
		":2: Exec: a quote is not closed, expected words quoted"},
	{ETCD, "[Job]\nExec=/bin/echo \\q\n", ":2: Exec: unknown escape after a backslash"},
	{ETCD, "[Job]\nExec=/bin/echo \\x00\n", ":2: Exec: an escape stands for NUL"},
	{ETCD, "[Job]\nExec=/bin/echo \\xg\n", ":2: Exec: an escape lacks digits"},
	{ETCD, "[Job]\nExec=/bin/echo \\ud800\n", ":2: Exec: an escape names no character"},
	{ETCD, "[Job]\nExec=-/bin/true\n", ":2: Exec: begins with one of systemd's prefixes"},
	{ETCD, "[Job]\nExec=./run\n", ":2: Exec: a program with a relative path"},
	{ETCD, "[Job]\nExec=\"\"\n", ":2: Exec: no command in it"},
	{ETCD, JOB "Environment=1A=x\n",
		":3: Environment: bad variable \"1A=x\", expected NAME=value"},
	{ETCD, JOB "Environment=ONCED_TOKEN=1\n", "\"ONCED_TOKEN=1\" is set by onced itself"},
	{ETCD, JOB "Environment=\"A=b\n", ":3: Environment: a quote is not closed"},
};

static void test_each_mistake_is_refused_in_one_line(void **state)
{
	struct outcome out;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *row = &refusals[i];

		load_texts(&out, row->conf, row->job);
		if (out.code != EXIT_CONFIG_FILE || out.n_lines != 1 ||
			!strstr(out.errors, scratch_fill(row->line)))
			fail_msg("row %zu: code %d, %zu lines: %s\nexpected: %s", i, out.code,
				out.n_lines, out.errors, scratch_fill(row->line));
		assert_null(strstr(out.errors, "s3cr3t"));
	}
	print_message("%zu refusals\n", sizeof(refusals) / sizeof(refusals[0]));
}

static void test_every_mistake_is_told(void **state)
{
	struct outcome out;

	load_texts(&out,
		"[Etcd]\nEndpoints=x\n[Node]\nName=A\n[Election]\nKey=k\nProfile=p\nLeaseTTL=?"
		"\nFoo=1\n",
		"[Job]\nType=corn\nRestart=never\n");
	assert_int_equal(out.code, EXIT_CONFIG_FILE);
	assert_int_equal(out.n_lines, 9);
	for (int line = 2; line <= 9; line++) {
		char text[32];

		if (line == 3 || line == 5)
			continue;
		(void)snprintf(text, sizeof(text), "onced.conf:%d: ", line);
		assert_non_null(strstr(out.errors, text));
	}
}

static void test_odd_files_are_refused(void **state)
{
	char path[256], *big = calloc(1, CONFIG_FILE_MAX + 2);
	struct outcome out;
	size_t size;

	(void)snprintf(path, sizeof(path), "%s/onced.conf", scratch);
	load_texts(&out, ETCD, NULL); /* takes the last test's job away */
	config_free(&out.config);
	(void)unlink(path);
	load(&out);
	assert_int_equal(out.code, EXIT_CONFIG_FILE);
	assert_string_equal(
		out.errors, scratch_fill("~/onced.conf: No such file or directory, expected a "
					 "configuration file\n"));
	assert_int_equal(mkfifo(path, 0600), 0);
	load(&out);
	assert_string_equal(out.errors, scratch_fill("~/onced.conf: not a regular file\n"));
	(void)unlink(path);
	scratch_write("onced.conf", ETCD, strlen(ETCD), 0666);
	load(&out);
	assert_non_null(strstr(out.errors, "has mode 0666"));
	scratch_write("onced.conf", ETCD "Address=a\0b\n", sizeof(ETCD "Address=a\0b\n") - 1, 0600);
	load(&out);
	assert_non_null(strstr(out.errors, "holds a NUL byte"));
	memset(big, '#', CONFIG_FILE_MAX + 1);
	scratch_write("onced.conf", big, CONFIG_FILE_MAX + 1, 0600);
	load(&out);
	assert_non_null(strstr(out.errors, "larger than 1048576 bytes"));
	(void)snprintf(big, 20000, "%s[Node]\nAddress=", "[Etcd]\nEndpoints=https://a:1\n");
	size = strlen(big);
	memset(big + size, 'x', 17000);
	big[size + 17000] = '\0';
	scratch_write("onced.conf", big, strlen(big), 0600);
	load(&out);
	assert_int_equal(out.n_lines, 1);
	assert_non_null(strstr(out.errors, "onced.conf:4: a line of more than 16384 bytes"));
	free(big);
}

static void test_hostile_job_names_are_refused(void **state)
{
	static const char *const names[] = {"A.job", "a b.job", "-a.job", "a\nb.job", "\x1b[2J.job",
		"\xff.job", "a%n.job",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.job"};
	struct outcome out;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[128];

		load_texts(&out, ETCD, NULL);
		config_free(&out.config);
		(void)snprintf(name, sizeof(name), "jobs.d/%s", names[i]);
		scratch_write(name, JOB, strlen(JOB), 0644);
		load(&out);
		if (out.code != EXIT_CONFIG_FILE || out.n_lines > 1 ||
			!strstr(out.errors, "bad job name"))
			fail_msg("%s: %d: %s", names[i], out.code, out.errors);
		assert_null(strchr(out.errors, '\x1b'));
		(void)snprintf(name, sizeof(name), "%s/jobs.d/%s", scratch, names[i]);
		assert_int_equal(unlink(name), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_mistake_is_refused_in_one_line),
		cmocka_unit_test(test_every_mistake_is_told),
		cmocka_unit_test(test_odd_files_are_refused),
		cmocka_unit_test(test_hostile_job_names_are_refused),
	};

	(void)unsetenv("CREDENTIALS_DIRECTORY");
	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
