// Which part of the runner carries out which command. What a command throws is its outcome "failed".
import type { Installer } from "./installer.js";
import type { Poller } from "./poller.js";
import type { PushIntake } from "./push-intake.js";
import type { ReportFacts } from "./reports.js";
import type { Command } from "./states.js";
import type { Supervisor } from "./supervisor.js";

export interface Parts {
	readonly poller: Poller;
	readonly installer: Installer;
	readonly pushes: PushIntake;
	readonly supervisor: Supervisor;
}

export function carryOut(parts: Parts, command: Command, facts: () => ReportFacts): void {
	const { poller, installer, pushes, supervisor } = parts;
	switch (command.name) {
		case "wait":
			poller.wait(command);
			break;
		case "check-manifest":
			poller.checkManifest();
			break;
		case "check-order":
			poller.checkOrder();
			break;
		case "open-download":
			if (command.offer.isPushed) {
				// What it knows of the slot is about to become untrue.
				installer.forget();
				poller.met();
				pushes.open(command.offer);
			} else installer.open(command.offer);
			break;
		case "receive":
			pushes.receive();
			break;
		case "fetch":
			installer.fetch();
			break;
		case "pause":
			installer.pause(command.stallCount);
			break;
		case "verify":
			installer.verify(command.release);
			break;
		case "activate":
			installer.activate(command.release);
			break;
		case "restart":
			supervisor.restart(facts);
			break;
		case "restart-unheard":
			supervisor.restartUnheard();
			break;
		case "watch-trial":
			supervisor.watchTrial(command.hasDeadline);
			break;
		case "confirm":
			supervisor.confirm();
			break;
		case "roll-back":
			supervisor.rollBack(command, facts());
			break;
		case "keep":
			supervisor.keep(command.ending);
			break;
		case "conclude":
			supervisor.conclude(command.ending);
	}
}
