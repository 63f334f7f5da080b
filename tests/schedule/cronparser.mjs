// cronparser.mjs MODULE: for each line "ZONE<tab>AFTER<tab>COUNT<tab>EXPRESSION" the next instants
// that the npm package cron-parser finds, in seconds; "error TEXT" when it refuses.
import { createInterface } from 'node:readline';

const parser = await import(process.argv[2]);
const { CronExpressionParser } = parser.default ?? parser;

for await (const line of createInterface({ input: process.stdin })) {
	const [tz, after, count, expression] = line.split('\t');
	try {
		const found = CronExpressionParser.parse(expression, { tz, currentDate: new Date(after * 1000) });
		console.log(found.take(Number(count)).map((date) => date.getTime() / 1000).join(' '));
	} catch (error) {
		console.log('error ' + String(error.message).split('\n')[0]);
	}
}
